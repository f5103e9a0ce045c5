"""The web page of `hmt-qa serve`; this package alone knows Gradio."""

"""`python -m hmt_ui` is `hmt-qa`."""

from hmt_ui.cli import main

main()

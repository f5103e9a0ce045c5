"""Speed, measured beside this machine's own limits: `hmt-qa bench ingest|ask|recall|scale`; docs/performance.md."""

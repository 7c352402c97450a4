"""The admin API's calls, by what they are about; `runner.web.calls` is the frame that they stand in."""

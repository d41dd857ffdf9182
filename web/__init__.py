"""The pages: templates, style sheets and scripts of report and live page, and the server of the live page."""

"""The demo: a Gradio page and API over a detector in a process of its own."""

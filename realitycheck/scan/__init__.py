"""Many pictures at once: files and folders to rows."""

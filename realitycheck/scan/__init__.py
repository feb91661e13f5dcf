"""Many pictures at once: files, folders and archives to rows."""

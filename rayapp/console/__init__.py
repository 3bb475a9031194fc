"""The console page: static files, served by rayapp.serving.http.console."""

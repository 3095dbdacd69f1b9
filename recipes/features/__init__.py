"""Features of pictures and other real rows: data, methods that read them, tables and plots."""

"""The database: its tables, their migrations, and one file per thing that is read or written."""

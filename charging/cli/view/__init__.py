"""What people see in the terminal. Pure: an answer of the API goes in, something that rich can draw comes out."""

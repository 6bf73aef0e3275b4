"""What a statistician reviews: one statistical model a file, its docstring is its model card."""

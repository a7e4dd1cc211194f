"""What every room uses: errors and files, what is shown, arguments that are checked, tensors as files."""

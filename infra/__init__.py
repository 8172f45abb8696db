"""What AWS must provide, and the program that provides it. Not packaged."""

"""Other tools as their own documentation uses them, and the bare operations below all tools."""

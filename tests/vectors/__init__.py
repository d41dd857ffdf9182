"""What a client in any language has to work out the same, as JSON; `contracts/client.md` has it in words."""

"""What tests need, of Bedplate's own and of applications that use it."""

"""What clients of Socket.IO may ask for, and what they are told: the service behind it knows rooms and limits only."""

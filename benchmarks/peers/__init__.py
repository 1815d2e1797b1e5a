"""Programs that do by hand, or with another library, what Bedplate is measured against."""

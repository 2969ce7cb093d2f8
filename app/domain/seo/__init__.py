"""What search engines are told: sitemaps, area pages, structured data."""

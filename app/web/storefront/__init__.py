"""The shopper's pages, one module for each part of a visit."""

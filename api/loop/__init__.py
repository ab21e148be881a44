"""The product: observe, decide, reward, learn. No FastAPI in here."""

"""Demo stores of our own making: goods, people, past orders and the pictures of the goods.

Everything here is plain data and drawing. Nothing in `app/` imports it, and it touches no database.
"""

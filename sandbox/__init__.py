"""Stand-ins of the outside companies: M-Pesa (Daraja), WhatsApp and SMS.

A process of its own that speaks real HTTP. It imports nothing from ``app`` and ``app`` knows
nothing of it: the shop reaches it by base URL alone, exactly as it reaches the companies.
"""

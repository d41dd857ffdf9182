"""How models are combined into one: rules that withstand wrong models, and a mean without rounding by order."""

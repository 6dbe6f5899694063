"""
An online shop's sessions, replayed through an agent that acts for real: over HTTP and by e-mail.

`python -m bench.shoppers FILE` takes `online_shoppers_intention.csv` (UCI, no. 468, CC BY 4.0), or a file of its shape.
"""

"""Getting an order to its customer: areas, fees, promises, riders."""

"""From decoded columns to products: the interface of an instrument, product kinds, the suite that runs a stream."""

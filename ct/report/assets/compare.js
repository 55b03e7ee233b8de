// Reserved: flicker, line profile and charts are not drawn yet.

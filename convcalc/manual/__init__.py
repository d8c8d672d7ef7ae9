"""The manual: finding and searching its topics, and generating the operators' pages."""

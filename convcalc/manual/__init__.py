"""The manual: its topics, found and searched; the pages of the operators, made from the operators themselves."""

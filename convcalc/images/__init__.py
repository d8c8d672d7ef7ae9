"""Images as network inputs: decoding, preprocessing, and PNG output."""

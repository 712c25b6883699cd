//! What waits for what.

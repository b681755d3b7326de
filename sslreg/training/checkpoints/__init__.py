"""The state that a run saves to resume, and the plugin that writes and reads it."""

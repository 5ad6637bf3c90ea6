"""The cost model: tokens a second from bytes, links and overheads. All figures are estimates."""

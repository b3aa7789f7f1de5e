"""What happens between an entity and its processes: planning, launching, following, ending."""

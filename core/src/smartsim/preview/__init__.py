"""What an experiment would launch, shown before it is launched: values, a builder and renderers."""

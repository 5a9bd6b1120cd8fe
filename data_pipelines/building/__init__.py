"""Between a source and its shards: job, plan, examples, cache, workers, records."""

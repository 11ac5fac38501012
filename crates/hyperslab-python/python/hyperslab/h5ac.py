"""The configuration of libhdf5's metadata cache, which the engine does not have."""


class CacheConfig:
    """Options of libhdf5's metadata cache: kept and given back, without effect."""

    version = 1
    rpt_fcn_enabled = open_trace_file = close_trace_file = False
    trace_file_name = b""
    evictions_enabled = set_initial_size = True
    initial_size = 1 << 21
    min_clean_fraction = 0.3
    max_size = 1 << 25
    min_size = 1 << 20
    epoch_length = 50000
    incr_mode = 1
    lower_hr_threshold = 0.9
    increment = 2.0
    apply_max_increment = True
    max_increment = 1 << 22
    flash_incr_mode = 1
    flash_multiple = 1.4
    flash_threshold = 0.25
    decr_mode = 3
    upper_hr_threshold = 0.999
    decrement = 0.9
    apply_max_decrement = True
    max_decrement = 1 << 20
    epochs_before_eviction = 3
    apply_empty_reserve = True
    empty_reserve = 0.1
    dirty_bytes_threshold = 1 << 18
    metadata_write_strategy = 0

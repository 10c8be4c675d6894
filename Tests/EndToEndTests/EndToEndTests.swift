import Testing

/// The real binary, run as its users run it: over sockets, signals, files and the command line.
///
/// As many tests run beside each other as there are cores, since each blocks the thread that it runs on. They share
/// nothing: each has files, ports and a PostgreSQL role of its own.
@Suite struct EndToEndTests {}

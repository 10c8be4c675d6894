import Testing

/// The real binary, run as its users run it: over sockets, signals, files and the command line.
///
/// One test at a time: they measure and load the machine.
@Suite(.serialized) struct EndToEndTests {}

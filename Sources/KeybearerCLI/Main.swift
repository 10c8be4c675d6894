import ArgumentParser
import Configuration
import KeybearerSQLite
import KeybearerServer
@main struct Main { static func main() {} }

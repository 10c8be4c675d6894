#pragma once
/// How often memory was asked for since the process began, by any thread.
unsigned long keybearer_allocation_count(void);

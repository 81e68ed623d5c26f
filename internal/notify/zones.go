package notify

// The time zones of rules are in the program, because Windows and minimal containers have none.
import _ "time/tzdata"

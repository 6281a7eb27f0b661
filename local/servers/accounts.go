package servers

import "strings"

// Services are the programs that own a database and a broker account, both named after them.
func Services() []string { return []string{"orders", "payments", "inventory", "shipping"} }

// Setting is the prefix of the names of a program's settings: BFF_WEB for bff-web.
func Setting(program string) string {
	return strings.ToUpper(strings.ReplaceAll(program, "-", "_"))
}

// BrokerUsers are the broker accounts of all programs with their permissions, without passwords.
func BrokerUsers() []BrokerUser {
	var users []BrokerUser
	for _, service := range Services() {
		users = append(users, ServiceUser(service))
	}
	return append(users, WebUser("bff-web"), TapUser("tap"))
}

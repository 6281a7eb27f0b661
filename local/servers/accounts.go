package servers

import "strings"

// Services are the programs that own a database and a broker account, both named after them.
func Services() []string { return []string{"orders", "payments", "inventory", "shipping"} }

// Setting is how the names of settings about a program begin: BFF_WEB.
func Setting(program string) string {
	return strings.ToUpper(strings.ReplaceAll(program, "-", "_"))
}

// BrokerUsers are the accounts of all programs that speak with the broker: what each may do, still without a password.
func BrokerUsers() []BrokerUser {
	var users []BrokerUser
	for _, service := range Services() {
		users = append(users, ServiceUser(service))
	}
	return append(users, WebUser("bff-web"))
}

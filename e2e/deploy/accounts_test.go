package deploy

import (
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/orderflow/local/servers"
)

// grant is a Permission or a TopicPermission of RabbitMQ's topology operator.
type grant struct {
	Spec struct {
		UserReference struct{ Name string }
		Permissions   permissions
	}
}

type permissions struct{ Configure, Write, Read, Exchange string }

// The permissions of accounts are defined in local/servers, which makes the accounts everywhere else.
func TestProductionGivesTheAccountsTheSamePermissions(t *testing.T) {
	t.Parallel()
	c := render(t, "k8s/overlays/production")
	for _, u := range servers.BrokerUsers() {
		if got, want := c.permission[u.Name], (permissions{Configure: u.Configure, Write: u.Write, Read: u.Read}); got != want {
			t.Errorf("%s may %+v\nwant %+v", u.Name, got, want)
		}
		if got, want := c.topics[u.Name], (permissions{Exchange: u.TopicExchange, Write: u.TopicWrite, Read: u.TopicRead}); got != want {
			t.Errorf("%s may on the topic exchange %+v\nwant %+v", u.Name, got, want)
		}
		delete(c.permission, u.Name)
	}
	if keda, ok := c.permission["keda"]; !ok || keda != (permissions{}) || len(c.permission) != 1 {
		t.Errorf("others may %+v, and only keda should be there, to look", c.permission)
	}
}

// account is a DatabaseRole, a Database, or a User of RabbitMQ.
type account struct {
	Kind     string
	Metadata struct{ Name string }
	Spec     struct {
		Name, Owner             string
		Login                   bool
		PasswordSecret          struct{ Name string }
		ImportCredentialsSecret struct{ Name string }
	}
}

// The operators make the accounts with the passwords that the programs have.
func TestProductionMakesTheAccountsOfAllPrograms(t *testing.T) {
	t.Parallel()
	c := render(t, "k8s/overlays/production")
	var want []account
	for _, name := range servers.Services() {
		role, database := account{Kind: "DatabaseRole"}, account{Kind: "Database"}
		role.Metadata.Name, role.Spec.Name, role.Spec.Login, role.Spec.PasswordSecret.Name = name, name, true, name+"-database"
		database.Metadata.Name, database.Spec.Name, database.Spec.Owner = name, name, name
		want = append(want, role, database)
	}
	for _, u := range servers.BrokerUsers() {
		user := account{Kind: "User"}
		user.Metadata.Name, user.Spec.ImportCredentialsSecret.Name = u.Name, u.Name+"-rabbitmq"
		want = append(want, user)
	}
	for _, a := range want {
		if !slices.Contains(c.accounts, a) {
			t.Errorf("%s has no %+v", c.where, a)
		}
		for _, secret := range []string{a.Spec.PasswordSecret.Name, a.Spec.ImportCredentialsSecret.Name} {
			if _, there := c.data["Secret/"+secret]["password"]; secret != "" && !there {
				t.Errorf("%s: there is no password in a Secret %s", c.where, secret)
			}
		}
	}
	if others := len(c.accounts) - len(want); others != 1 { // keda
		t.Errorf("%s makes %d other accounts", c.where, others)
	}
}

// Where provision makes the accounts, each password is in two places.
func TestProgramsLogInWithThePasswordsThatProvisionGivesThem(t *testing.T) {
	t.Parallel()
	_, here := composed(t)
	kind, _ := render(t, "k8s/overlays/kind").containers(t)
	minikube, _ := render(t, "k8s/overlays/minikube").containers(t)
	for _, containers := range [][]container{here, kind, minikube} {
		given, checked := containers[slices.IndexFunc(containers, func(c container) bool { return c.program == "provision" })].env, 0
		for _, c := range containers {
			for setting, at := range map[string][2]string{
				"DATABASE_URL": {c.program, "DATABASE"}, "RABBITMQ_URL": {c.program, "RABBITMQ"}, "TAP_RABBITMQ_URL": {"tap", "RABBITMQ"},
			} {
				account, server := at[0], at[1]
				value, there := c.env[setting]
				if !there || c.program == "provision" {
					continue
				}
				checked++
				login, err := url.Parse(os.Expand(strings.NewReplacer("$(", "${", ")", "}").Replace(value), func(name string) string { return c.env[name] }))
				if err != nil {
					t.Fatal(err)
				}
				want := url.UserPassword(account, given[servers.Setting(account)+"_"+server+"_PASSWORD"])
				if login.User.String() != want.String() {
					t.Errorf("%s: %s logs in as %s, and provision makes %s", c.where, setting, login.User, want)
				}
			}
		}
		if want := len(servers.Services()) + len(servers.BrokerUsers()); checked != want {
			t.Errorf("%s: %d passwords, and there are %d accounts", containers[0].where, checked, want)
		}
	}
}

type scaledObject struct {
	Metadata struct{ Name string }
	Spec     struct {
		ScaleTargetRef struct{ Name string }
		Triggers       []struct {
			Type     string
			Metadata map[string]string
		}
	}
}

// A queue that does not exist would always look empty.
func TestServicesScaleByQueuesOfTheirOwn(t *testing.T) {
	t.Parallel()
	c := render(t, "k8s/overlays/production")
	scaled := map[string]bool{}
	for _, s := range c.scaled {
		scaled[s.Spec.ScaleTargetRef.Name] = true
		// A service has a queue if it handles such messages, which its main function shows.
		main, err := os.ReadFile(filepath.Join(programs[s.Spec.ScaleTargetRef.Name], "main.go"))
		if err != nil {
			t.Fatal(err)
		}
		for queue, exchange := range map[string]string{"commands": "bus.Commands", "events": "bus.Events"} {
			found := false
			for _, trigger := range s.Spec.Triggers {
				found = found || trigger.Metadata["queueName"] == s.Spec.ScaleTargetRef.Name+"."+queue
			}
			if listens := strings.Contains(string(main), "Exchange: "+exchange); found != listens {
				t.Errorf("%s scales by its %s: %t, and it has them: %t", s.Metadata.Name, queue, found, listens)
			}
		}
	}
	for _, service := range servers.Services() {
		if !scaled[service] {
			t.Errorf("%s is not scaled", service)
		}
	}
}

package deploy

import "slices"

// policy is a NetworkPolicy, with the fields that are used here: ports are numbers, peers are pods of the same namespace.
type policy struct {
	Spec struct {
		PodSelector     selector
		PolicyTypes     []string
		Ingress, Egress []struct {
			From, To []peer
			Ports    []struct{ Port int }
		}
	}
}

type peer struct {
	PodSelector       *selector
	NamespaceSelector *selector
	IPBlock           any `json:"ipBlock"`
}

type selector struct {
	MatchLabels      map[string]string
	MatchExpressions []struct {
		Key, Operator string
		Values        []string
	}
}

func (s selector) matches(labels map[string]string) bool {
	for k, v := range s.MatchLabels {
		if labels[k] != v {
			return false
		}
	}
	for _, e := range s.MatchExpressions {
		if e.Operator != "In" || !slices.Contains(e.Values, labels[e.Key]) {
			return false
		}
	}
	return true
}

// allows reports whether a policy allows the connection between a pod and another one in a direction. One policy selects all
// pods and allows nothing, so a connection that no policy allows is forbidden.
func (c *cluster) allows(direction string, pod, other map[string]string, port int) bool {
	for _, p := range c.policies {
		if !slices.Contains(p.Spec.PolicyTypes, direction) || !p.Spec.PodSelector.matches(pod) {
			continue
		}
		rules := p.Spec.Egress
		if direction == "Ingress" {
			rules = p.Spec.Ingress
		}
		for _, rule := range rules {
			peers := slices.Concat(rule.From, rule.To)
			known := len(peers) == 0 || slices.ContainsFunc(peers, func(p peer) bool {
				return p.PodSelector != nil && p.NamespaceSelector == nil && p.PodSelector.matches(other)
			})
			open := len(rule.Ports) == 0
			for _, p := range rule.Ports {
				open = open || p.Port == port
			}
			if known && open {
				return true
			}
		}
	}
	return false
}

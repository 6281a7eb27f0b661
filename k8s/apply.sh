#!/bin/sh
# apply.sh CONTEXT OVERLAY: brings a laptop's cluster up to what is here, its images too, and returns when all is ready.
set -eu
cd "$(dirname "$0")"
k() { kubectl --context "$context" --namespace orderflow "$@"; }
context=$1

# A new image has the name of the old one, so those who run it already do not notice that there is a new one.
running=$(k get deployments,statefulsets --selector 'app.kubernetes.io/component notin (database,broker)' --output name 2>/dev/null || true)
k apply --kustomize "overlays/$2"
if [ -n "$running" ]; then
	# shellcheck disable=SC2086 # they are several
	k rollout restart $running
fi
for name in $(k get statefulsets,deployments --output name); do
	k rollout status "$name" --timeout=10m
done

#!/bin/bash
# docs/configuration.md is what the option table says today.
# usage: configuration_document.sh AQUAMVS DOCUMENT
set -u
"$1" info --options | diff -u "$2" - && exit 0
echo "renew it: aquamvs info --options > docs/configuration.md"
exit 1

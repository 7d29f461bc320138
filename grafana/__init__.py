"""The dashboards, as a program that writes them. Grafana itself reads only what it wrote."""

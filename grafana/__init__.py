"""The program that writes the dashboards. Grafana reads only its output."""

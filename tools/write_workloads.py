"""Write workloads/*.trace; a test says that they are what this writes."""

from pathlib import Path

from archsim.workload.catalogue import write_catalogue

if __name__ == "__main__":
    write_catalogue(Path(__file__).parents[1] / "workloads")
